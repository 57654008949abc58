"""The version of this software, as manifests name it."""

VERSION = "0.1.0"
