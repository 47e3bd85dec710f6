"""What an envelope of Google Standard Payments lets in, and what it keeps out."""
