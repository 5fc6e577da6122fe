"""The command line: resource commands speak HTTP, `serve`, `worker`, `config` and `admin` are local."""
