"""The embedded default: two small models, and a fixed sample of the generated text that they were trained on."""
