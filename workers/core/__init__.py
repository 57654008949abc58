"""Pure numerics: arrays in, arrays out. No Celery, storage, TensorFlow or video library here."""
