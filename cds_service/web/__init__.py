"""Pages for people: server-rendered, without script and without anything from elsewhere."""
