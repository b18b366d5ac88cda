select
    cast(_lender_id as string) as lender_id,
    cast(consent_id as string) as consent_id,
    cast(customer_id as string) as customer_id,
    cast(fip_id as string) as fip_id,
    cast(link_ref_number as string) as link_ref_number,
    cast(masked_account_number as string) as masked_account_number,
    cast(account_type as string) as account_type,
    cast(account_sub_type as string) as account_sub_type,
    cast(currency as string) as currency,
    cast(current_balance as decimal(18,2)) as current_balance,
    cast(balance_at_utc as timestamp) as balance_at_utc,
    cast(opened_date as date) as opened_date,
    cast(status as string) as status,
    cast(fetched_at_utc as timestamp) as fetched_at_utc,
    cast(holder_name_token as string) as holder_name_token,
    cast(mobile_token as string) as mobile_token,
    cast(email_token as string) as email_token,
    cast(pan_token as string) as pan_token,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'aa_accounts') }}
where _lender_id = {{ lender_id() }}
