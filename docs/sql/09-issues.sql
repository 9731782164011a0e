-- What is to be repaired in the portal, how often, and where does one begin?
SELECT
    rule,
    "column",
    count(*) AS times,
    count(DISTINCT contact_id) AS contacts,
    min(contact_id) AS for_example
FROM issues
GROUP BY rule, "column"
ORDER BY times DESC, rule, "column";
