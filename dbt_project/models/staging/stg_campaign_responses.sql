select
    cast(_lender_id as string) as lender_id,
    cast(response_id as string) as response_id,
    cast(customer_id as string) as customer_id,
    cast(campaign_id as string) as campaign_id,
    cast(product as string) as product,
    cast(channel as string) as channel,
    cast(offered_at_utc as timestamp) as offered_at_utc,
    cast(responded_at_utc as timestamp) as responded_at_utc,
    cast(response as string) as response,
    cast(is_control as boolean) as is_control,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'campaign_responses') }}
where _lender_id = {{ lender_id() }}
