-- Who has a birthday in the coming Jalali month, on which day, and how old do they become?
-- "Coming" is after the month of the data; who was born on 30 Esfand is congratulated on the 29th in a common year.
WITH now AS (
    SELECT calendar.jalali_year * 12 + calendar.jalali_month AS month
    FROM calendar
    JOIN export_info ON calendar.date = CAST(timezone('Asia/Tehran', export_info.finished_at) AS DATE)
)
SELECT
    coming.date,
    coming.jalali_date,
    coming.jalali_year - born.jalali_year AS age,
    contacts.contact_id,
    contacts.full_name,
    contacts.mobile_national
FROM contacts
JOIN calendar AS born ON born.date = contacts.birth_date
JOIN calendar AS coming
    ON coming.jalali_month = born.jalali_month
    AND coming.jalali_day
    = CASE WHEN born.jalali_day = 30 AND born.jalali_month = 12 AND NOT coming.is_leap THEN 29 ELSE born.jalali_day END
JOIN now ON coming.jalali_year * 12 + coming.jalali_month = now.month + 1
WHERE coming.jalali_year > born.jalali_year AND NOT coalesce(contacts.deleted, false)
ORDER BY coming.date, contacts.contact_id;
