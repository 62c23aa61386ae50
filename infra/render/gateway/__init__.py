"""The files of the door in front of a stack's endpoints: Envoy's, the limits' and the moderator's."""
