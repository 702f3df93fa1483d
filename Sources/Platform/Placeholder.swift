// Placeholder of the target's first commit.
