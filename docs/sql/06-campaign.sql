-- Whom may a message be sent to? Each number once: of contacts that share it, the one changed last.
SELECT contact_id, full_name, mobile_national
FROM contacts
WHERE active AND NOT coalesce(deleted, false) AND mobile_kind IN ('ir', 'ir_unlisted')
QUALIFY row_number() OVER (PARTITION BY mobile ORDER BY updated_at DESC NULLS LAST, contact_id DESC) = 1
ORDER BY contact_id;
