select
    cast(_lender_id as string) as lender_id,
    cast(contact_id as string) as contact_id,
    cast(account_id as string) as account_id,
    cast(customer_id as string) as customer_id,
    cast(channel as string) as channel,
    cast(direction as string) as direction,
    cast(contacted_at_utc as timestamp) as contacted_at_utc,
    cast(outcome as string) as outcome,
    cast(is_randomised as boolean) as is_randomised,
    cast(assignment_probability as double) as assignment_probability,
    cast(promise_amount as decimal(18, 2)) as promise_amount,
    cast(promise_date as date) as promise_date,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'contact_history') }}
where _lender_id = {{ lender_id() }}
