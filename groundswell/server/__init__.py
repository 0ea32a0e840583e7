"""The HTTP shell around the roles: listening, problems, CORS, pages, the internal port."""
