"""A run's key numbers against limits: held, or breached by which tap. Tables alone; no model, no framework."""
