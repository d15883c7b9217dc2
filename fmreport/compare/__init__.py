"""Two runs -> what differs between them: taps aligned, measures with the intervals of their change. Tables alone."""
