select
    cast(lender_id as string) as lender_id,
    cast(file_id as string) as file_id,
    cast(feed as string) as feed,
    cast(uri as string) as uri,
    cast(business_date as date) as business_date,
    cast(known_at as timestamp) as known_at,
    cast(status as string) as status
from {{ source('raw', 'ingested_files') }}
where lender_id = {{ lender_id() }}
