"""A tokenizer of ours as transformers has it: the same ids, in its interface.

    tokenizer = equinfo.load("english-64k").as_hf()
    tokenizer.save_pretrained("folder")
    transformers.AutoTokenizer.from_pretrained("folder")  # or trust_remote_code=True

Special and added tokens are found in a text, as everywhere in transformers; with
`split_special_tokens=True` text is text, whatever it spells.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from transformers import AddedToken, BatchEncoding, PreTrainedTokenizer
from transformers.tokenization_utils_base import TruncationStrategy

from equinfo.artifacts import JSON_NAME, TENSORS_NAME
from equinfo.errors import EquinfoError
from equinfo.hf import saved, when_imported
from equinfo.hf.encoding import Request, columns_of, length_of, marked_ids, room
from equinfo.hf.names import Names
from equinfo.hf.parts import Parser
from equinfo.hf.rows import Batch, Ragged
from equinfo.hf.units import readable
from equinfo.hf.versions import check_transformers
from equinfo.tokenizers.base import Tokenizer

SPECIAL = ("pad_token", "bos_token", "eos_token")


class EquinfoTokenizer(PreTrainedTokenizer):
    """`native` behind transformers' interface, for lossless tokenizers whose ids decode id by id or
    window by window.

    <|pad|>, <|bos|> and <|eos|> are the ids that follow the codes, as everywhere here; added tokens
    follow these. All of them are found where a text spells them, but for split_special_tokens=True,
    of the tokenizer or of a call. add_bos_token, add_eos_token: what `add_special_tokens=True` puts
    around each text; M2s are trained with BOS in front. Truncation keeps `max_length` ids, and on
    the left drops whole units, so that the rest still decodes; what it leaves of a unit on the
    right stands for what is certain of it. Offsets are those of units.py. `length` counts ids
    before padding. Not there, with an error that says so: overflowing tokens, words, ids in place
    of text.
    """

    vocab_files_names = {  # noqa: RUF012
        "artifact_file": f"{saved.FOLDER}/{JSON_NAME}",
        "tensors_file": f"{saved.FOLDER}/{TENSORS_NAME}",
    }
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012
    _auto_map: ClassVar[dict[str, list[str | None]]] = {
        "AutoTokenizer": [f"{saved.MODULE}.EquinfoTokenizer", None]
    }

    def __init__(
        self,
        native: Tokenizer | None = None,
        artifact_file: str | None = None,
        tensors_file: str | None = None,
        add_bos_token: bool = True,
        add_eos_token: bool = False,
        split_special_tokens: bool = False,
        **options: Any,
    ) -> None:
        check_transformers()
        self.native = _checked(native if native is not None else saved.read(artifact_file))
        self.names = Names(self.native)
        self.add_bos_token = add_bos_token
        self.add_eos_token = add_eos_token
        begin = self.native.code_size
        special = {name: f"<|{name[:3]}|>" for name in SPECIAL}
        tokens = {  # the special ids, and the added tokens that were stored with the tokenizer
            begin + n: AddedToken(token, special=True, normalized=False)
            for n, token in enumerate(special.values())
        }
        for i, token in options.pop("added_tokens_decoder", {}).items():
            tokens[int(i)] = AddedToken(**token) if isinstance(token, dict) else token
        if sorted(tokens) != list(range(begin, begin + len(tokens))):
            raise EquinfoError(
                "tokenizer_config.json is another tokenizer's: its added tokens do not follow the"
                " codes"
            )
        self._added_tokens_decoder = tokens
        extra = options.pop("extra_special_tokens", None)
        extra = extra or options.pop("additional_special_tokens", None) or []
        options |= {"split_special_tokens": split_special_tokens}
        super().__init__(**{**special, **options}, additional_special_tokens=list(extra))

    # -- vocabulary --------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Codes and the three special ids; `len(self)` counts added tokens too."""
        return self.native.vocab_size

    def get_vocab(self) -> dict[str, int]:
        return self.names.codes | self._added_tokens_encoder

    def _convert_id_to_token(self, index: int) -> Any:
        return self.names.strings[index] if 0 <= index < self.native.code_size else None

    def _convert_token_to_id(self, token: str) -> int | None:
        return self.names.codes.get(token)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        ids = list(map(self._convert_token_to_id_with_added_voc, tokens))
        if None in ids:
            raise EquinfoError(f"{tokens[ids.index(None)]!r} is no token of {self.native.name}")
        return self._decode(ids)

    def _update_total_vocab_size(self) -> None:
        self.total_vocab_size = max(self._added_tokens_decoder) + 1
        self._numbers = np.array(range(self.total_vocab_size), dtype=object)

    def _add_tokens(
        self, new_tokens: Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Ids after all others. A token that is there, also as a code's string, is not added."""
        new: Any = [one for one in new_tokens or () if str(one) not in self._added_tokens_encoder]
        new = [token for token in new if str(token) not in self.names.codes]
        if new:
            return super()._add_tokens(new, special_tokens)
        self._update_total_vocab_size()
        return 0

    # -- text to ids -------------------------------------------------------------------------------

    def _encode_plus(  # type: ignore[override]
        self, text: Any, text_pair: Any = None, **options: Any
    ) -> BatchEncoding:
        """One text, pair or batch: what `__call__` of every version comes down to."""
        request = Request.of(options)
        columns, batched = columns_of(text, text_pair)
        data: dict[str, Any] = {"input_ids": [], "attention_mask": []}
        if columns[0]:
            data = self._outputs(columns, request)
        if not batched:
            data = {name: rows[0] for name, rows in data.items()}
        tensors = request.return_tensors
        return BatchEncoding(data, tensor_type=tensors, prepend_batch_axis=not batched)

    def _batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """transformers 4 has another name for a batch."""
        return self._encode_plus(list(batch_text_or_text_pairs), **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """As calling the tokenizer, which transformers 4 does through here and 5 instead of it."""
        options.setdefault("split_special_tokens", self.split_special_tokens)
        known = getattr(super(), "batch_encode_plus", self)
        return known(batch_text_or_text_pairs, **options)

    def _outputs(self, texts: list[list[str]], request: Request) -> dict[str, Any]:
        """Each output of a batch that is not empty: rows as lists, or an array for tensors."""
        plain = request.split_special_tokens
        if plain is None:
            plain = self.split_special_tokens
        parser = Parser(self.native, {} if plain else self._added_tokens_decoder)
        around = self._around() if request.add_special_tokens else ([], [])
        if request.sanitize_control_tokens:
            whole = [marked_ids(self, column) for column in texts]
        else:
            whole = [parser.ids(column) for column in texts]
        kept = self._kept(whole, parser, request, len(texts) * sum(map(len, around)))
        pairs = zip(whole, kept, strict=True)
        left = [[ids[keep] for ids, keep in zip(*pair, strict=True)] for pair in pairs]
        batch = Batch(left, *around)
        columns = {"input_ids": batch.input_ids()}
        masked = "attention_mask" in self.model_input_names
        if masked and request.return_attention_mask is not False:
            columns["attention_mask"] = batch.attention_mask()
        if request.return_token_type_ids:
            columns["token_type_ids"] = batch.token_type_ids()
        if request.return_special_tokens_mask:
            columns["special_tokens_mask"] = batch.special_tokens_mask()
        if request.return_offsets_mapping:
            texts_of = (zip(*one, strict=True) for one in zip(texts, whole, kept, strict=True))
            rows = zip(*texts_of, strict=True)
            found = [parser.offsets(t, ids)[keep] for row in rows for t, ids, keep in row]
            columns["offset_mapping"] = batch.beside(found)
        longest: Any = range(batch.sizes.max())  # what counts is its length
        self._eventual_warn_about_too_long_sequence(longest, request.max_length, request.verbose)
        data = self._rows(columns, request)
        return {**data, "length": batch.sizes.tolist()} if request.return_length else data

    def _rows(self, columns: dict[str, Ragged], request: Request) -> dict[str, Any]:
        """Padded; as arrays where tensors are asked for and rows are of one length, else lists."""
        length = length_of(columns["input_ids"].sizes, request)
        if length:
            side = request.padding_side or self.padding_side
            fill = {"input_ids": self.pad_token_id, "token_type_ids": self.pad_token_type_id}
            fill["special_tokens_mask"] = 1
            columns = {n: one.padded(length, fill.get(n, 0), side) for n, one in columns.items()}
        if request.return_tensors is not None and columns["input_ids"].rectangular:
            return {name: rows.array() for name, rows in columns.items()}
        ids = {"input_ids": columns.pop("input_ids").lists(self._numbers)}
        return ids | {name: rows.lists() for name, rows in columns.items()}

    def _kept(
        self, columns: list[list[np.ndarray]], parser: Parser, request: Request, edges: int
    ) -> list[list[slice]]:
        """What truncation leaves of each text."""
        strategy = request.truncation_strategy
        if strategy is TruncationStrategy.DO_NOT_TRUNCATE or request.max_length is None:
            return [[slice(None)] * len(column) for column in columns]
        most = request.max_length - edges
        rows = [room(tuple(map(len, row)), most, strategy) for row in zip(*columns, strict=True)]
        both = zip(columns, zip(*rows, strict=True), strict=True)
        pairs = [list(zip(*one, strict=True)) for one in both]
        if self.truncation_side == "right":
            return [[slice(0, keep) for _, keep in column] for column in pairs]
        return [[parser.last(ids, keep) for ids, keep in column] for column in pairs]

    def _around(self) -> tuple[list[int], list[int]]:
        """The special ids before and after each text."""
        ends = ((self.add_bos_token, self.bos_token_id), (self.add_eos_token, self.eos_token_id))
        before, after = ([token] if wanted and token is not None else [] for wanted, token in ends)
        return before, after

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The token strings of `encode`'s ids."""
        ids = self.encode(text, pair, add_special_tokens=add_special_tokens, **options)
        return self.convert_ids_to_tokens(ids)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        before, after = self._around()
        texts = [token_ids_0] if token_ids_1 is None else [token_ids_0, token_ids_1]
        return [i for text in texts for i in (*before, *text, *after)]

    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        if already_has_special_tokens:
            return super().get_special_tokens_mask(
                token_ids_0, token_ids_1, already_has_special_tokens=True
            )
        before, after = ([1] * len(ids) for ids in self._around())
        texts = [token_ids_0] if token_ids_1 is None else [token_ids_0, token_ids_1]
        return [i for text in texts for i in (*before, *[0] * len(text), *after)]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        edges = sum(map(len, self._around()))
        second = [] if token_ids_1 is None else [1] * (len(token_ids_1) + edges)
        return [0] * (len(token_ids_0) + edges) + second

    # -- ids to text -------------------------------------------------------------------------------

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **_: Any,
    ) -> str:
        """The text of any ids, special ones too, as units.readable has it; U+FFFD for no id."""
        ids = np.atleast_1d(np.asarray(token_ids, dtype=np.int64))
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        others = np.flatnonzero((ids < 0) | (ids >= self.native.code_size)).tolist()
        text = []
        at = 0
        for place in [*others, len(ids)]:
            text.append(readable(self.native, ids[at:place]))
            if place < len(ids) and int(ids[place]) not in skipped:
                token = self._added_tokens_decoder.get(int(ids[place]))
                text.append("\ufffd" if token is None else token.content)
            at = place + 1
        whole = "".join(text)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return self.clean_up_tokenization(whole) if clean_up_tokenization_spaces else whole

    # -- kept and copied ---------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, saved.state(self.native, self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "EquinfoTokenizer":
        return type(self)(self.native, **copy.deepcopy(saved.settings(self), memo))

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Any, *inputs: Any, **options: Any
    ) -> "EquinfoTokenizer":
        """From a folder of `save_pretrained`, or a hub's. Raises EquinfoError for other folders."""
        saved.check_folder(Path(pretrained_model_name_or_path, options.get("subfolder") or ""))
        try:
            return super().from_pretrained(pretrained_model_name_or_path, *inputs, **options)
        except ImportError as error:
            # that protobuf is missing is all transformers says then, whatever was wrong
            if isinstance(error.__context__, EquinfoError):
                raise error.__context__ from None
            raise

    def _save_pretrained(
        self,
        save_directory: Any,
        file_names: tuple[str, ...],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """What `save_pretrained` calls once it has written its own files."""
        if filename_prefix:
            raise EquinfoError(
                "filename_prefix is not supported: the files are found by their names"
            )
        written = saved.write(self.native, self, Path(save_directory), self._auto_map)
        return (*file_names, *written)

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoTokenizer") -> None:
        """Nothing: `save_pretrained` writes a line that imports this class, no copy of its file."""


def as_hf(native: Tokenizer, options: dict[str, Any]) -> EquinfoTokenizer:
    """Raises EquinfoError for an unknown option."""
    unknown = sorted(set(options) - set(saved.OPTIONS))
    if unknown:
        raise EquinfoError(f"unknown option {unknown[0]!r}: known are {', '.join(saved.OPTIONS)}")
    return EquinfoTokenizer(native, **options)


def _checked(native: Tokenizer) -> Tokenizer:
    if not native.lossless:
        raise EquinfoError(
            f"{native.name} is not lossless: use the original, from transformers or SentencePiece"
        )
    if native.unit is None:
        raise EquinfoError(
            f"{native.name} does not decode id by id or window by window, as transformers needs"
            " it: choose a codebook, equal-info windows with reset=1, bpe, unigram or bytes"
        )
    return native


def _restored(head: bytes, tensors: bytes) -> EquinfoTokenizer:
    native, settings = saved.from_state(head, tensors)
    return EquinfoTokenizer(native, **settings)


def _hash_by_reduce(dill: ModuleType) -> None:
    """datasets would hash all attributes, caches too."""

    def save(pickler: Any, tokenizer: EquinfoTokenizer) -> None:
        pickler.save_reduce(*tokenizer.__reduce__(), obj=tokenizer)

    dill.pklregister(EquinfoTokenizer)(save)


when_imported("datasets.utils._dill", _hash_by_reduce)
