"""The shapes of the API's requests and answers, a module for each resource."""
