"""A local page on which texts are cut by several tokenizers side by side: `equinfo playground`.

readings.py, edits.py and writer.py compute; markup.py and views.py make HTML of it; page.py lays it
out in Gradio, and server.py serves it.
"""
