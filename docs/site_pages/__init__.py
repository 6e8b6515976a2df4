"""What of the site is made at build: pages from files elsewhere, tables of the reference, the landing page's scene."""
