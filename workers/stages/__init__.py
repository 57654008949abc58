"""One file per arrow: read, one pure call, one write. The write is the commit, so a stage may run twice."""
