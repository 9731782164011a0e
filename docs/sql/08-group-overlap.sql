-- Which groups share contacts, and how large a part of the smaller one is that?
WITH sizes AS (SELECT group_id, count(*) AS size FROM contact_groups GROUP BY group_id)
SELECT
    one.title AS group_one,
    other.title AS group_two,
    count(*) AS shared,
    round(count(*) / least(any_value(size_one.size), any_value(size_other.size)), 3) AS share_of_smaller
FROM contact_groups AS a
JOIN contact_groups AS b ON b.contact_id = a.contact_id AND b.group_id > a.group_id
JOIN groups AS one ON one.group_id = a.group_id
JOIN groups AS other ON other.group_id = b.group_id
JOIN sizes AS size_one ON size_one.group_id = a.group_id
JOIN sizes AS size_other ON size_other.group_id = b.group_id
GROUP BY a.group_id, b.group_id, one.title, other.title
ORDER BY shared DESC, a.group_id, b.group_id;
