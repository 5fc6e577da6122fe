"""Tenants: organizations, projects, members, connections."""
