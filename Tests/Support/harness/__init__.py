"""What the tests through the real binary stand on: processes, raw HTTP, repositories."""
