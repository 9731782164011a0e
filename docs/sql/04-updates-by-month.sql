-- In which Jalali month were contacts last changed? Months without a change are there too, with 0.
WITH counted AS (
    SELECT calendar.jalali_year_month, count(*) AS contacts
    FROM contacts
    JOIN calendar ON calendar.date = contacts.updated_date
    GROUP BY ALL
)
SELECT
    months.jalali_year_month,
    any_value(months.jalali_month_name) AS jalali_month_name,
    coalesce(any_value(counted.contacts), 0) AS contacts
FROM calendar AS months
LEFT JOIN counted USING (jalali_year_month)
WHERE months.jalali_year_month BETWEEN (SELECT min(jalali_year_month) FROM counted)
    AND (SELECT max(jalali_year_month) FROM counted)
GROUP BY months.jalali_year_month
ORDER BY months.jalali_year_month;
