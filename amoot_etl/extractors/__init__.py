"""From the portal to DataFrames of raw text."""
