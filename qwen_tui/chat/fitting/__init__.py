"""What happens with material that does not fit into the context: never is a part of it dropped in silence."""
