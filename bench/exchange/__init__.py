"""Results as files for others, and from others: our own documents, Every Eval Ever, the Hub, model cards."""
