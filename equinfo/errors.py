"""The one exception users see: a clear line that names what is wrong and what to do."""


class EquinfoError(ValueError):
    """Bad input, a damaged artefact, or a request that cannot be met.

    The message is a single line meant for people; the command line prints it without a traceback.
    """
