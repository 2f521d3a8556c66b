"""A view per datasource in the schema `twin_sql`, and the roles that may read them."""
