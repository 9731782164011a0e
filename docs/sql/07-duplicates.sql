-- Which contacts share a number?
SELECT
    mobile,
    count(*) AS contacts,
    list(contact_id ORDER BY contact_id) AS contact_ids,
    list(DISTINCT full_name ORDER BY full_name) AS names
FROM contacts
WHERE mobile IS NOT NULL AND NOT coalesce(deleted, false)
GROUP BY mobile
HAVING count(*) > 1
ORDER BY contacts DESC, mobile;
