-- How large is each group, and how much of it can get an SMS? A contact of two groups counts in both.
SELECT
    groups.group_id,
    groups.title,
    count(contacts.contact_id) AS contacts,
    count(*) FILTER (contacts.active AND NOT contacts.deleted AND contacts.mobile IS NOT NULL) AS reachable,
    groups.reconciled
FROM groups
LEFT JOIN contact_groups USING (group_id)
LEFT JOIN contacts USING (contact_id)
GROUP BY ALL
ORDER BY contacts DESC, groups.group_id;
