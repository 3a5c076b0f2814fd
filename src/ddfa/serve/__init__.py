"""The service: photos in by HTTP, faces out as JSON and files; a page to look at them; a live channel for cameras."""
