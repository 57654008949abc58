"""The HTTP API: create jobs and look after them, uploads straight to object storage, results as links."""
