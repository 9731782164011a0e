"""From the portal to chunks of raw text.

A small answer (the groups, one contact) is read from memory. A listing is one body of any size: `landing` puts it
on disk as it comes, cut into segments, and `body` turns segments into chunks, by the fast reader where it is
proved to lose nothing and by the `careful` one elsewhere. What comes out is a pandas DataFrame with the portal's
field names, every value as its text.
"""
