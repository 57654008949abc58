"""Sources are read in a process that has no credentials, no network and little memory: uploads are hostile.

``calls`` is what stages and the split call; ``child`` is the process; the rest is what stands between them.
"""
