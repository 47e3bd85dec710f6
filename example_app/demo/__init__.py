"""A demo that calls the example wallet as Alipay+, a merchant and Google, and checks answers."""
