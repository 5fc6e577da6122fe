"""The platform: subjects with their tables and verbs. It knows neither the web, the command line nor any vendor."""
