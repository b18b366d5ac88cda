select
    listings.as_of_date,
    listings.customer_id,
    listings.reason,
    listings.listed_date
from {{ versions_as_of(ref('stg_blacklist'), ['customer_id', 'listed_date']) }} as listings
where {{ is_listed('listings') }}
