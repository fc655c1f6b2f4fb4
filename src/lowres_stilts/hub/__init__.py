"""Adapter packages: small folders that plain libraries load, with all that is needed to trust them."""
