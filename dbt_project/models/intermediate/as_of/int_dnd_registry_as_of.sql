select
    listings.as_of_date,
    listings.phone_token,
    listings.registry,
    listings.categories,
    listings.listed_date
from {{ versions_as_of(
    ref('stg_dnd_registry'), ['phone_token', 'registry', 'listed_date']
) }} as listings
where {{ is_listed('listings') }}
