select
    contacts.contact_id,
    contacts.account_id,
    contacts.customer_id,
    contacts.channel,
    contacts.direction,
    contacts.contacted_at_utc,
    {{ lender_day('contacts.contacted_at_utc') }} as contact_date,
    contacts.outcome,
    contacts.is_randomised,
    contacts.promise_amount,
    contacts.promise_date,
    {{ known_interval(['contacts.contact_id']) }}
from {{ ref('stg_contact_history') }} as contacts
