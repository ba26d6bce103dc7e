"""What was made for other libraries, translated once at the door; nothing behind it knows of them."""
