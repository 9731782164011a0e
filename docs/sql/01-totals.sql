-- How many contacts are there, how many can get an SMS, and as of when?
SELECT
    timezone('Asia/Tehran', any_value(export_info.finished_at)) AS data_as_of,
    count(*) AS contacts,
    count(*) FILTER (contacts.active AND NOT contacts.deleted) AS active,
    count(*) FILTER (contacts.active AND NOT contacts.deleted AND contacts.mobile IS NOT NULL) AS reachable,
    count(DISTINCT contacts.mobile) AS numbers
FROM contacts
CROSS JOIN export_info;
