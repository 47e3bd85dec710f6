"""Whatever an app does around us, our answers are signed and its pages are its own."""
