"""Tables and figures -> one frozen page -> HTML, PDF."""
