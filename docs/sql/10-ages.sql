-- How old are contacts, by gender? Ages in Jalali years, on the day of the data.
WITH now AS (
    SELECT calendar.jalali_key AS key
    FROM calendar
    JOIN export_info ON calendar.date = CAST(timezone('Asia/Tehran', export_info.finished_at) AS DATE)
),
aged AS (
    -- Days as numbers, 14040729: their difference without the last four digits is whole years.
    SELECT contacts.gender, (now.key - born.jalali_key) // 10000 AS age
    FROM contacts
    JOIN calendar AS born ON born.date = contacts.birth_date
    CROSS JOIN now
    WHERE NOT coalesce(contacts.deleted, false) AND born.jalali_key <= now.key
)
SELECT
    age // 10 * 10 AS from_age,
    count(*) FILTER (gender = 'female') AS women,
    count(*) FILTER (gender = 'male') AS men,
    count(*) FILTER (gender IS NULL) AS unknown
FROM aged
GROUP BY from_age
ORDER BY from_age;
