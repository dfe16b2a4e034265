"""What this node keeps in its own SQLite file: answers that were paid for; later, what it did and still owes."""
