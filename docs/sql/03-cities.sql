-- Where do contacts live? Cities are cleaned, so that two keyboards do not make two cities.
SELECT
    coalesce(city, 'نامعلوم') AS city,
    count(*) AS contacts,
    round(100 * count(*) / sum(count(*)) OVER (), 1) AS percent
FROM contacts
WHERE NOT coalesce(deleted, false)
GROUP BY ALL
ORDER BY contacts DESC, city;
