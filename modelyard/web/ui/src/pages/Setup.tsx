import { Text } from "@mantine/core";
import { useParams } from "react-router";
import { setUp } from "../api/people";
import { FrontPage } from "../components/FrontPage";
import { NewPersonForm } from "../components/NewPersonForm";
import { paths } from "../lib/paths";

/** The first administrator, by the link that `modelyard serve` printed. */
export function Setup() {
  const { token = "" } = useParams();
  return (
    <FrontPage title="Set up Modelyard">
      <Text c="dimmed" mb="md">
        You become the administrator of this server: you invite people and make organizations. The link works
        once.
      </Text>
      <NewPersonForm
        make={(person) => setUp(token, person)}
        action="Create the account"
        next={paths.home()}
      />
    </FrontPage>
  );
}
