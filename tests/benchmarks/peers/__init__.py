"""What others do with the same clip and the same model: each a script with an environment of its own.

A script is called with a clip and a number of frames, and prints one line of JSON: ``frames``, ``seconds``,
``warm_seconds`` and ``people``.  Only ``seconds`` counts: imports, loading the model, starting processes and a first
pass over some frames come before, which is generous.
"""
