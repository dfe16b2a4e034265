"""What is held about one person, everywhere: showing it, handing it out, erasing it."""
